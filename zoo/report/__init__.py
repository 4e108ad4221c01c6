"""Everything that people look at, drawn anew from what stands in the artifacts.

figures    pictures of an artifact: training curves, a latent walk, the training images nearest to samples
gallery    exported/README.md: all artifacts in one table and one picture
compare    two artifacts side by side
command    `zoo report` and `zoo compare`
"""
