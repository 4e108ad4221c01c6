"""A spec -> a trained run.

    Spec -> loop: algorithms/ (one file a game), callbacks, monitor (metric, sample sheets), checkpoint -> Run
    summary    what a spec would build (`zoo build --dry-run`)       speed    steps a second (`zoo bench`)

May import: zoo.nn and what stands below it, zoo.metrics, Keras.
"""
