"""A robot's hand as URDF: four fingers of four joints, built and named as the Allegro's, without meshes."""

from __future__ import annotations

from xml.etree import ElementTree as ET

FINGERS = ((0, 0.045, 0.095), (4, 0.0, 0.1), (8, -0.045, 0.095))
"""First joint's number, sideways and forward place (m) of index, middle and ring finger."""
PHALANGES_M = (0.016, 0.054, 0.038, 0.043)


def robot_hand() -> str:
    """x out of the palm, y to the thumb's side, z to the fingers; angles bend towards the palm."""
    robot = ET.Element("robot", name="four_fingers")
    ET.SubElement(robot, "link", name="wrist")
    for first, side, forward in FINGERS:
        _finger(robot, first, f"0 {side} {forward}", "0 0 0", ("1 0 0", "0 1 0", "0 1 0", "0 1 0"), "0 0 1")
    _finger(robot, 12, "0.02 0.04 0.02", "0 0 0", ("0 0 1", "1 0 0", "1 0 0", "1 0 0"), "0 1 0")
    return ET.tostring(robot, encoding="unicode")


def _finger(robot: ET.Element, first: int, place: str, turn: str, axes: tuple[str, ...], along: str) -> None:
    parent = "wrist"
    for k, axis in enumerate(axes):
        link = f"link_{first + k}.0"
        where = place if k == 0 else _scaled(along, PHALANGES_M[k - 1])
        _joint(robot, f"joint_{first + k}.0", "revolute", parent, link, where, turn if k == 0 else "0 0 0", axis)
        parent = link
    _joint(
        robot, f"joint_{first + 3}.0_tip", "fixed", parent, f"{parent}_tip", _scaled(along, PHALANGES_M[3]), "0 0 0", ""
    )


def _scaled(along: str, length_m: float) -> str:
    return " ".join(f"{float(value) * length_m:.4f}" for value in along.split())


def _joint(robot: ET.Element, name: str, kind: str, parent: str, child: str, xyz: str, rpy: str, axis: str) -> None:
    ET.SubElement(robot, "link", name=child)
    joint = ET.SubElement(robot, "joint", name=name, type=kind)
    ET.SubElement(joint, "origin", xyz=xyz, rpy=rpy)
    ET.SubElement(joint, "parent", link=parent)
    ET.SubElement(joint, "child", link=child)
    if axis:
        ET.SubElement(joint, "axis", xyz=axis)
        ET.SubElement(joint, "limit", lower="-0.47", upper="1.7", effort="1", velocity="6")
