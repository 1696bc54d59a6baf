"""Readers of data sets on small files in the published form: joints, sides, boxes, ids, and what is wrong."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.errors import UserError
from engines.geometry.crop import crop_around
from engines.geometry.pinhole import project
from engines.skeleton import HAND_SLICES, WRIST
from tests.support import dataset_files as files
from tests.support.small_bank import SIZE_PX, write_shard
from training.datasets.coco_hands import load_coco_wholebody, load_freihand, load_onehand10k
from training.datasets.interhand.interhand26m import load_interhand26m
from training.datasets.orders import BASE_FIRST, LITTLE_FIRST, TIP_FIRST, TZIONAS
from training.datasets.rhd import load_rhd
from training.datasets.rootnet_output import find_rootnet_output, load_rootnet_output
from training.datasets.sample import box_around, read_picture
from training.datasets.stb import COLOUR_INTRINSICS, STEREO_INTRINSICS, load_stb
from training.datasets.synthetic import balanced, load_synthetic, on_photographs
from training.datasets.tzionas import load_tzionas
from training.datasets.webcam import load_webcam
from training.prepare import main as prepare_main
from training.registry import DATA_SETS, data_set

LEFT = HAND_SLICES["left"]
RIGHT = HAND_SLICES["right"]


@pytest.mark.parametrize("order", [TIP_FIRST, BASE_FIRST, LITTLE_FIRST])
def test_an_order_names_every_joint_once(order: np.ndarray) -> None:
    assert sorted(order) == list(range(21))
    assert order[WRIST] == 0


def test_tzionas_order_names_its_14_joints_once() -> None:
    assert sorted(TZIONAS[TZIONAS >= 0]) == list(range(14))


def test_box_is_the_extent_times_1_2_and_gives_the_trackers_crop() -> None:
    joints = np.array([[10.0, 20.0], [50.0, 40.0], [999.0, 999.0]])
    box = box_around(joints, np.array([True, True, False]))
    np.testing.assert_allclose(box, [6, 18, 48, 24])
    assert not box_around(joints, np.zeros(3, bool)).any()


def test_interhand_joints_come_back_in_camera_space(tmp_path: Path) -> None:
    camera_mm = files.interhand26m(tmp_path)
    samples = load_interhand26m(tmp_path, "test")
    assert [s.annotation_id for s in samples] == [100, 101, 102, 103]
    assert [s.interacting for s in samples] == [False, False, True, True]
    assert [s.hand_present.tolist() for s in samples][:3] == [[True, False], [False, True], [True, True]]
    for sample, truth in zip(samples, camera_mm, strict=True):
        valid = sample.joint_px_valid
        np.testing.assert_allclose(sample.joints_cam_mm[valid], truth[valid], atol=1e-3)  # stored as float32
        np.testing.assert_allclose(sample.joints_px[valid], project(truth[valid], files.CAMERA), atol=1e-3)
        assert not sample.joints_cam_mm[~valid].any()
    np.testing.assert_allclose(samples[2].crop().side_px, crop_around(samples[2].joints_px).side_px, rtol=1e-4)


def test_without_its_wrist_a_hand_has_no_3d_joint_but_keeps_its_pixels(tmp_path: Path) -> None:
    files.interhand26m(tmp_path)
    sample = load_interhand26m(tmp_path, "test")[3]
    assert sample.joint_cam_valid[RIGHT].all() and not sample.joint_cam_valid[LEFT].any()
    assert sample.joint_px_valid[LEFT].sum() == 20


def test_human_and_machine_annotations_share_the_whole(tmp_path: Path) -> None:
    files.interhand26m(tmp_path)
    (tmp_path / "annotations/test/aid_human_annot_test.txt").write_text("101\n103\n")
    human = load_interhand26m(tmp_path, "test", "human")
    machine = load_interhand26m(tmp_path, "test", "machine")
    assert [s.annotation_id for s in human] == [101, 103]
    assert [s.annotation_id for s in machine] == [100, 102]


def test_version_0_folders_are_read_too(tmp_path: Path) -> None:
    files.interhand26m(tmp_path)
    (tmp_path / "annotations/test").rename(tmp_path / "annotations/human_annot")
    assert len(load_interhand26m(tmp_path, "test", "human")) == 4
    with pytest.raises(UserError, match=r"InterHand2\.6M_test_data\.json"):
        load_interhand26m(tmp_path, "test", "all")


def test_rootnet_output_is_found_and_read(tmp_path: Path) -> None:
    entry = {"annot_id": 7, "bbox": [10, 20, 100, 100], "abs_depth": [700.0, 720.0]}
    files.write_json(tmp_path / "rootnet_output/rootnet_interhand2.6m_output_all_test.json", [entry])
    files.write_json(tmp_path / "rootnet_output/rootnet_interhand2.6m_output_machine_annot_val.json", [])
    answer = load_rootnet_output(find_rootnet_output(tmp_path, "test"))[7]
    np.testing.assert_allclose(answer.depth_mm, [700, 720])
    assert answer.crop.center_px == (60.0, 70.0) and answer.crop.side_px == 100
    with pytest.raises(UserError, match="--root-depth FILE"):
        find_rootnet_output(tmp_path / "elsewhere", "test")


def test_one_depth_of_rootnet_is_for_either_hand(tmp_path: Path) -> None:
    path = files.write_json(tmp_path / "r.json", [{"annot_id": 1, "bbox": [0, 0, 9, 9], "abs_depth": 650.0}])
    np.testing.assert_allclose(load_rootnet_output(path)[1].depth_mm, [650, 650])


def _rhd(root: Path, form: str) -> np.ndarray:
    joints = files.hand(3)
    pixels = files.in_their_order(project(joints, files.CAMERA), TIP_FIRST)
    camera = {"focal": [files.CAMERA.fx, files.CAMERA.fy], "princpt": [files.CAMERA.cx, files.CAMERA.cy]}
    annotation = {"id": 5, "image_id": 5, "bbox": [1, 2, 3, 4], "hand_type": "left"}
    annotation["joint_cam"] = files.in_their_order(joints, TIP_FIRST).tolist()
    if form == "coco":
        annotation["keypoints"] = np.concatenate([pixels, np.ones((21, 1))], axis=1).tolist()
    else:
        annotation |= {"joint_img": pixels.tolist(), "joint_valid": [1] * 21}
    name = "annotations/rhd_test.json" if form == "coco" else "RHD_evaluation.json"
    image = {"id": 5, "file_name": "00005.png", "width": 320, "height": 240, "cam_param": camera}
    files.write_json(root / name, {"images": [image], "annotations": [annotation]})
    files.write_picture(root / "evaluation/color/00005.png")
    return joints


@pytest.mark.parametrize("form", ["coco", "internet"])
def test_rhd_puts_the_joints_into_our_order_and_hand(tmp_path: Path, form: str) -> None:
    joints = _rhd(tmp_path, form)
    (sample,) = load_rhd(tmp_path, "test")
    np.testing.assert_allclose(sample.joints_cam_mm[LEFT], joints)
    np.testing.assert_allclose(sample.joints_px[LEFT], project(joints, files.CAMERA))
    assert sample.hand_present.tolist() == [False, True] and not sample.joint_cam_valid[RIGHT].any()
    assert read_picture(sample.picture).shape == (240, 320, 3)


def test_stb_takes_the_wrist_from_the_palm(tmp_path: Path) -> None:
    palm = files.stb_mat(tmp_path, "B1Counting", 3)
    files.stb_mat(tmp_path, "B1Random", 2)
    samples = load_stb(tmp_path, "test")
    assert len(samples) == 5 and len({s.annotation_id for s in samples}) == 5
    truth = np.stack([files.hand(i) for i in range(3)])  # the small files have the palm half way to the ring finger
    np.testing.assert_allclose([s.joints_cam_mm[LEFT] for s in samples[:3]], truth, atol=1e-9)
    assert not np.allclose(palm[:, WRIST], truth[:, WRIST])
    np.testing.assert_allclose(samples[1].joints_px[LEFT], project(truth[1], STEREO_INTRINSICS))


def test_stb_colour_camera_lies_beside_the_depth_camera(tmp_path: Path) -> None:
    files.stb_mat(tmp_path, "B1Counting", 2, code="SK")
    files.stb_mat(tmp_path, "B1Random", 1, code="SK")
    sample = load_stb(tmp_path, "test", camera="colour")[0]
    moved = sample.joints_cam_mm[LEFT] - files.hand(0)
    assert np.all(moved[:, 0] > 20) and np.all(np.abs(moved) < 45)
    back = cv2.Rodrigues(np.array([0.00531, -0.01196, 0.00301]))[0] @ sample.joints_cam_mm[LEFT].T
    np.testing.assert_allclose(back.T + [-24.0381, -0.4563, -1.2326], files.hand(0), atol=1e-9)
    np.testing.assert_allclose(sample.joints_px[LEFT], project(sample.joints_cam_mm[LEFT], COLOUR_INTRINSICS))


@pytest.mark.parametrize("last", ["wrist", "palm"])
def test_stb_of_internet_tells_wrist_from_palm_by_the_hands_measures(tmp_path: Path, last: str) -> None:
    joints = files.hand(2)
    joints[8:12] = joints[11] + np.array([[0, -90.0, 0], [0, -70, 0], [0, -43, 0], [0, 0, 0]])
    joints[15] = joints[11] + [20, 4, 0]
    joints[WRIST] = joints[11] + [0, 84, 0]
    stored = joints.copy()
    if last == "palm":
        stored[WRIST] = (joints[WRIST] + joints[15]) / 2
    camera = {"focal": [822.8, 822.8], "princpt": [318.5, 250.3]}
    image = {"id": 1, "file_name": "BB_left_0.png", "seq_name": "B1Counting", "cam_param": camera}
    annotation = {"id": 1, "image_id": 1, "hand_type": "left", "joint_valid": [1] * 21}
    annotation["joint_cam"] = files.in_their_order(stored, LITTLE_FIRST).tolist()
    files.write_json(tmp_path / "STB_test.json", {"images": [image], "annotations": [annotation]})
    np.testing.assert_allclose(load_stb(tmp_path, "test")[0].joints_cam_mm[LEFT], joints)


def _coco(root: Path, name: str, picture: str, valid: np.ndarray) -> np.ndarray:
    pixels = project(files.hand(1), files.CAMERA)
    keypoints = files.flat_keypoints(files.in_their_order(pixels, BASE_FIRST), files.in_their_order(valid, BASE_FIRST))
    image = {"id": 3, "file_name": Path(picture).name, "width": 320, "height": 240}
    annotation = {"id": 8, "image_id": 3, "bbox": [0, 0, 9, 9], "keypoints": keypoints}
    files.write_json(root / "annotations" / f"{name}_test.json", {"images": [image], "annotations": [annotation]})
    files.write_picture(root / picture)
    return pixels


def test_freihand_shows_right_hands(tmp_path: Path) -> None:
    pixels = _coco(tmp_path, "freihand", "training/rgb/00000003.jpg", np.ones(21))
    (sample,) = load_freihand(tmp_path, "test")
    np.testing.assert_allclose(sample.joints_px[RIGHT], pixels)
    assert sample.handedness_known and sample.intrinsics is None and not sample.joint_cam_valid.any()
    assert read_picture(sample.picture).shape == (240, 320, 3)


def test_onehand10k_does_not_tell_the_side_nor_hidden_joints(tmp_path: Path) -> None:
    valid = np.ones(21)
    valid[[3, 20]] = 0
    pixels = _coco(tmp_path, "onehand10k", "Test/source/3.jpg", valid)
    (sample,) = load_onehand10k(tmp_path, "test")
    assert not sample.handedness_known
    np.testing.assert_array_equal(sample.joint_px_valid[RIGHT], valid > 0)
    np.testing.assert_allclose(sample.joints_px[RIGHT][valid > 0], pixels[valid > 0])
    np.testing.assert_allclose(sample.box_px, box_around(pixels, valid > 0))


def _wholebody(root: Path, left_offset_px: float, left_valid: bool = True) -> None:
    right = files.in_their_order(project(files.hand(1), files.CAMERA), BASE_FIRST)
    person = {"id": 6, "image_id": 2, "righthand_valid": True, "lefthand_valid": left_valid}
    person["righthand_kpts"] = files.flat_keypoints(right)
    person["lefthand_kpts"] = files.flat_keypoints(right + [left_offset_px, 0], np.full(21, float(left_valid)))
    image = {"id": 2, "file_name": "000000000002.jpg", "width": 320, "height": 240}
    content = {"images": [image], "annotations": [person]}
    files.write_json(root / "annotations/coco_wholebody_val_v1.0.json", content)


def test_wholebody_hands_that_overlap_are_one_sample(tmp_path: Path) -> None:
    _wholebody(tmp_path, left_offset_px=20)
    (pair,) = load_coco_wholebody(tmp_path, "test")
    assert pair.interacting and pair.hand_present.all() and pair.handedness_known
    np.testing.assert_allclose(pair.joints_px[LEFT] - pair.joints_px[RIGHT], np.tile([20.0, 0], (21, 1)))


def test_wholebody_hands_apart_are_two_samples(tmp_path: Path) -> None:
    _wholebody(tmp_path, left_offset_px=500)
    right, left = load_coco_wholebody(tmp_path, "val")
    assert (right.hand_present.tolist(), left.hand_present.tolist()) == ([True, False], [False, True])
    assert right.annotation_id != left.annotation_id and right.handedness_known


def test_wholebody_hand_beside_an_unlabelled_one_does_not_tell_who_is_there(tmp_path: Path) -> None:
    _wholebody(tmp_path, left_offset_px=20, left_valid=False)
    (right,) = load_coco_wholebody(tmp_path, "val")
    assert not right.handedness_known and not right.joint_px_valid[LEFT].any()


def _tzionas(root: Path, frames: int) -> None:
    for i in range(0, 5 * frames, 5):
        lines = [f"{j}\t{100 + j + i}\t{50 + 2 * j}" for j in range(28)]
        lines[2], lines[20] = "2\t0\t0", "20\t-1\t-1"
        path = root / "01/1/joints_2D_GT" / f"{i:03d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
        files.write_picture(root / "01/1/rgb" / f"{i:03d}.png", (640, 480))


def test_tzionas_has_28_joints_of_two_hands_and_a_fixed_split(tmp_path: Path) -> None:
    _tzionas(tmp_path, 20)
    train, test = load_tzionas(tmp_path, "train"), load_tzionas(tmp_path, "test")
    assert (len(train), len(test)) == (18, 2)
    assert not {s.annotation_id for s in train} & {s.annotation_id for s in test}
    sample = next(s for s in train if s.frame == 0)
    assert sample.joint_px_valid[RIGHT].sum() == 13 and sample.joint_px_valid[LEFT].sum() == 13
    np.testing.assert_allclose(sample.joints_px[RIGHT][7], [109, 68])  # line 9: base of the index finger
    np.testing.assert_allclose(sample.joints_px[LEFT][1], [127, 104])  # line 27: last joint of the second thumb
    other = next(s for s in load_tzionas(tmp_path, "train", first_hand="left") if s.frame == 0)
    np.testing.assert_allclose(other.joints_px[LEFT], sample.joints_px[RIGHT])


def test_synthetic_shards_lie_on_the_hands(tmp_path: Path) -> None:
    write_shard(tmp_path, "7", 6, seed=1)
    samples = load_synthetic(tmp_path, "7")
    assert [s.interacting for s in samples] == [True, False, False, True, False, False]
    for sample in samples:
        picture = read_picture(sample.picture).astype(int)
        x, y = np.rint(sample.joints_px[sample.joint_px_valid]).astype(int).T
        assert picture.shape == (SIZE_PX, SIZE_PX, 3)
        assert np.all(np.ptp(picture[y, x], axis=1) > 50)  # coloured discs on grey
    assert len(load_synthetic(tmp_path, "all")) == 6


def test_cut_out_hands_are_laid_on_photographs(tmp_path: Path) -> None:
    write_shard(tmp_path / "bank", "7", 9, seed=3)
    samples = load_synthetic(tmp_path / "bank", "7")
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((90, 200, 3), (10, 200, 30), np.uint8))
    picture, plain = (read_picture(s[4].picture) for s in (on_photographs(samples, tmp_path), samples))
    assert (picture[0, 0] == (10, 200, 30)).all()
    x, y = np.rint(samples[4].joints_px[samples[4].joint_px_valid][0]).astype(int)
    assert (picture[y, x] == plain[y, x]).all()
    kept = balanced(samples, 2)
    assert [sample.interacting for sample in kept] == [False, False, True, True]
    with pytest.raises(UserError, match="only 3 pictures of each kind"):
        balanced(samples, 4)
    with pytest.raises(UserError, match="no photographs"):
        on_photographs(samples, tmp_path / "bank")


def test_webcam_reads_one_side(tmp_path: Path) -> None:
    joints = files.hand(4)
    frame = {"image": "0.jpg", "side": "left", "joints_cam_mm": joints.tolist()}
    frame["intrinsics_px"] = files.CAMERA.as_array().tolist()
    files.write_json(tmp_path / "labels.json", {"frames": [frame]})
    (sample,) = load_webcam(tmp_path)
    np.testing.assert_allclose(sample.joints_cam_mm[LEFT], joints)
    assert sample.crop().side_px == pytest.approx(crop_around(sample.joints_px[LEFT]).side_px)


@pytest.mark.parametrize("name", list(DATA_SETS))
def test_an_empty_folder_is_one_line_with_a_files_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError) as error:
        data_set(name).load(tmp_path, "test")
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("annotations/test/InterHand2.6M_test_data.json", "{"),
        ("annotations/test/InterHand2.6M_test_data.json", '{"images": []}'),
        ("annotations/test/InterHand2.6M_test_camera.json", '{"0": {"camrot": {"400": [1, 2]}}}'),
        ("annotations/test/InterHand2.6M_test_joint_3d.json", '{"0": {"0": {"world_coord": [[1, 2]]}}}'),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: str) -> None:
    files.interhand26m(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=Path(name).name):
        load_interhand26m(tmp_path, "test")


def test_a_camera_that_is_not_in_its_file_is_an_error_of_that_sample(tmp_path: Path) -> None:
    files.interhand26m(tmp_path)
    files.write_json(tmp_path / "annotations/test/InterHand2.6M_test_camera.json", {})
    samples = load_interhand26m(tmp_path, "test")
    with pytest.raises(UserError, match=r"InterHand2\.6M_test_data\.json"):
        samples[0]


def test_missing_and_damaged_pictures_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone.jpg: no such picture"):
        read_picture(tmp_path / "gone.jpg")
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8 nothing")
    with pytest.raises(UserError, match=r"bad.jpg: is no picture"):
        read_picture(tmp_path / "bad.jpg")


def test_a_shard_cut_short_is_named(tmp_path: Path) -> None:
    write_shard(tmp_path, "7", 3, seed=1)
    tar = tmp_path / "shard-7.tar"
    samples = load_synthetic(tmp_path, "7")
    tar.write_bytes(tar.read_bytes()[:700])
    with pytest.raises(UserError, match=r"shard-7.tar"):
        [read_picture(sample.picture) for sample in samples]


def test_labels_of_a_shard_cut_short_are_named(tmp_path: Path) -> None:
    write_shard(tmp_path, "7", 3, seed=1)
    labels = tmp_path / "shard-7.npz"
    labels.write_bytes(labels.read_bytes()[:700])
    with pytest.raises(UserError, match=r"shard-7\.npz: damaged labels"):
        load_synthetic(tmp_path, "7")


def test_prepare_says_where_every_set_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare_main([]) == 0
    text = capsys.readouterr().out
    for name, known in DATA_SETS.items():
        assert f"{name}: " in text and known.source in text and known.licence in text


def test_prepare_counts_a_folder_and_draws_its_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files.interhand26m(tmp_path)
    sheet = tmp_path / "sheet.png"
    command = ["--dataset", "interhand26m", "--root", str(tmp_path), "--split", "test", "--sheet", str(sheet)]
    assert prepare_main(command) == 0
    assert "test: 4 samples (2 interacting), right hands 3, left" in capsys.readouterr().out
    drawn = cv2.imread(str(sheet))
    assert drawn.shape == (256, 4 * 256, 3)
    assert np.ptp(drawn[:, :256].astype(int), axis=2).max() > 100  # coloured bones over the grey picture


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: (root / "images/test/Capture0/seq1/cam400/image1.jpg").unlink(), "image1.jpg"),
        (lambda root: (root / "annotations/test/InterHand2.6M_test_camera.json").unlink(), "camera.json"),
        (lambda root: (root / "annotations/test/InterHand2.6M_test_data.json").write_text("[]"), "data.json"),
    ],
)
def test_prepare_names_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: object, said: str
) -> None:
    files.interhand26m(tmp_path)
    change(tmp_path)  # type: ignore[operator]
    assert prepare_main(["--dataset", "interhand26m", "--root", str(tmp_path), "--split", "test"]) == 2
    assert said in capsys.readouterr().err


def test_prepare_wants_a_number_of_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files.interhand26m(tmp_path)
    with pytest.raises(SystemExit):
        prepare_main(["--dataset", "interhand26m", "--root", str(tmp_path), "--split", "test", "--pictures", "-1"])
    assert "--pictures: must be at least 1" in capsys.readouterr().err
