"""Everything that people look at, drawn anew from what stands in the artifacts.

figures    pictures of an artifact: training curves, a latent walk, the training images nearest to samples
gallery    exported/README.md: all artifacts in one table and one picture
tables     all artifacts in a table, for the gallery and for marked places of other pages
seeds      the same recipe with other seeds, gathered for a card
compare    two artifacts side by side
command    `zoo report` and `zoo compare`
"""
