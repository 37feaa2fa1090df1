"""What stands beside the reader: receipt printer and PIN pad, one file each."""
