"""Foundations for all other folders: errors, registry, files, host, cards, arrays, text, images, pictures, progress.

May import: the standard library, NumPy, Pillow and tqdm; nothing of the zoo.
"""
