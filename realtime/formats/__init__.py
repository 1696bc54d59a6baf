"""Track files in other formats: one module each, picked by `saving.py`; `docs/tracks.md` lists what each holds."""
