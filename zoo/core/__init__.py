"""Foundations for all other folders: errors, registry, files, host, cards, arrays, images, pictures, progress, and
text, the rule by which words become ids.

May import: the standard library, NumPy, Pillow and tqdm; nothing of the zoo.
"""
