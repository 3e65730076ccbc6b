"""What speaks against a declaration: findings, the panel, and the files of the checkpoint, one file each."""
