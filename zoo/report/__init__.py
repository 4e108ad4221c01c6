"""Everything that people read about an artifact, written anew from the files of its folder.

    folder -> card (score_table with published.json, usage) -> README.md      figures -> pictures of a card
    folder of artifacts -> gallery                                            seeds, compare

May import: zoo.evaluate and what stands below it, matplotlib. Never Keras.
"""
