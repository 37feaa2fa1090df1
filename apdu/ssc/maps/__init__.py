"""The tables of the file map, one module a group of directories."""
