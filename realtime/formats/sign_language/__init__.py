"""What sign-language research loads beside its videos: pose-format's `.pose` and ELAN's `.eaf`."""
