"""What robots and their researchers load: LeRobot's data sets, ROS 2 messages in MCAP, hands for retargeting."""
