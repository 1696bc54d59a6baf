"""What people and things look like: skin, clothes, bodies, solids, as meshes with colours."""
