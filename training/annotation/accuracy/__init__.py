"""How exact labels and tracks are: one camera against many, and few views against all."""
