"""A spec -> a trained run.

    Spec -> loop: algorithms/ (one file a game), callbacks, monitor (metric, sample sheets), checkpoint -> Run
    kept       the images that the export of translators needs                    own_images    what a folder held
    summary    the networks of a spec as tables (`zoo build --dry-run`)       speed    images per second (`zoo bench`)

May import: zoo.nn and what it may import, zoo.metrics, Keras.
"""
