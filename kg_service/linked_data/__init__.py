"""The graph for other systems: how they find it, and how they keep a copy of it.

patches.py   what came after a generation, as RDF Patch
"""
