"""Data sets as uint8 arrays, and batches whose order is a function of seed and step.

    catalogue (datasets.json) -> fetch (places, formats) -> sources -> dataset -> pipeline
                         captions (of labels)  -> caption_draws

    data = load_dataset("fashion_mnist", size=32)                  # fetched, verified, padded to 32 x 32
    Batches(data, batch_size=64, draws=5, seed=0)[step]["image"]   # float32 [5, 64, 32, 32, 1] in [-1, 1]

To add a data set: an entry in datasets.json, a function in `sources`, and for a download its place in `places`.

May import: zoo.core and NumPy. `catalogue`, `captions` and `fetch` import no NumPy, so that `zoo check` is quick.
"""
