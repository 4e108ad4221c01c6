"""Claims of the papers, each a program that tries one and says what came of it: `zoo reproduce`.

result       what came of one: numbers, verdict, the table of a model card; standard library only
base         what a claim is, and how one is run and kept
catalogue    all of them; a file each stands beside it
"""
