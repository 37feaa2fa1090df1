"""Card profiles that come with the simulator, and the schema that every profile obeys.

All holders are invented: region 990100 does not exist, and the names are placeholders.
"""
