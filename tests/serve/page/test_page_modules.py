"""The page's modules that need no browser, held against the Python that they mirror, under node."""

import json
import shlex

import numpy as np
import onnx_nets as nets
import pytest

import zoo
from zoo.artifact.tensor import Tensor
from zoo.core.images import from_uint8, to_uint8
from zoo.runtime import priors
from zoo.runtime.inputs import nearest_size

SEEDS = (0, 1, 20_000, 2**32 - 1)
NAMES = ("z", "label", "мир")


def float32(numbers):
    return np.array(numbers, np.float64).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_streams_are_those_of_numpy(node, name):
    """1500 words: more than two states of the twister, so that its renewal is tried as well."""
    code = """
        const streams = given.seeds.map((seed) => new RandomState([seed, crc32(given.name)]));
        return streams.map((stream) => Array.from({length: 1500}, () => stream.uint32()));
    """
    drawn = node("random.js", code, seeds=SEEDS, name=name)
    for seed, words in zip(SEEDS, drawn, strict=True):
        expected = priors.stream(seed, name).randint(0, 2**32, 1500, dtype=np.uint32)
        np.testing.assert_array_equal(words, expected)


@pytest.mark.parametrize(
    "part", [{"uniform": {}}, {"uniform": {"low": 0, "high": 1}}, {"normal": {}}, {"sphere": {}}], ids=str
)
def test_latents_are_those_of_the_runtime(node, part):
    """Uniform numbers to the last bit; the others to one unit in the last place, as log may round otherwise."""
    prior = priors.make(part, shape=(5, 13))
    code = "return given.seeds.map((seed) => draw([given.input], 70, seed).z.data)"
    drawn = node("latents.js", code, seeds=SEEDS, input=_input(part, 5, 13))
    for seed, numbers in zip(SEEDS, drawn, strict=True):
        expected = prior.draw(priors.stream(seed, "z"), 70).ravel()
        if "uniform" in part:
            np.testing.assert_array_equal(float32(numbers), expected)
        np.testing.assert_array_max_ulp(float32(numbers), expected, maxulp=1)


@pytest.mark.parametrize("classes", [1, 2, 3, 8, 10, 1000])
def test_class_ids_are_those_of_the_runtime(node, classes):
    """Counts of a power of two waste no number of the stream, others do, and one class draws none."""
    for dtype in ("int64", "int32"):
        label = {"name": "label", "dtype": dtype, "shape": ["batch"], "prior": None, "classes": ["c"] * classes}
        ids = node(
            "latents.js",
            "return given.seeds.map((s) => draw([given.label], 300, s).label.data)",
            seeds=SEEDS,
            label=label,
        )
        for seed, drawn in zip(SEEDS, ids, strict=True):
            np.testing.assert_array_equal(drawn, priors.labels(priors.stream(seed, "label"), 300, classes=classes))


def test_the_class_that_was_chosen_fills_the_batch(node):
    label = {"name": "label", "dtype": "int64", "shape": ["batch", 1], "prior": None, "classes": ["a", "b", "c"]}
    fed = node("latents.js", "return draw([given.label], 4, 0, {label: 2}).label", label=label)
    assert fed == {"data": [2, 2, 2, 2], "shape": [4, 1]}


def test_what_a_person_fixes_fills_its_inputs_and_leaves_the_others(node):
    """Classes and codes by name, as `sample(4, body=1, slant=0.5)`: the rest is drawn as without them."""
    body, mouth = ({"name": name, "dtype": "int64", "shape": ["batch"], "prior": None, "classes": ["a", "b", "c"]}
                   for name in ("body", "mouth"))  # fmt: skip
    slant = {**_input({"uniform": {}}, 1), "name": "slant"}
    inputs = [_input({"normal": {}}, 5), slant, body, mouth]
    code = "return [draw(given.inputs, 4, 7), draw(given.inputs, 4, 7, {body: 1, slant: 0.5}), choosable(given.inputs)]"
    free, fixed, offered = node("latents.js", code, inputs=inputs)
    assert fixed["body"]["data"] == [1] * 4 and fixed["slant"] == {"data": [0.5] * 4, "shape": [4, 1]}
    assert all(fixed[name] == free[name] for name in ("z", "mouth"))
    assert [one["name"] for one in offered] == ["slant", "body", "mouth"]
    frames = node("latents.js", "return loop(given.inputs, 6, 7, 3, {slant: -0.5})", inputs=inputs)
    assert frames["slant"]["data"] == [-0.5] * 6 and frames["mouth"]["data"] == [free["mouth"]["data"][0]] * 6


@pytest.mark.parametrize("part", [{"uniform": {"low": -2, "high": 3}}, {"normal": {}}, {"sphere": {}}], ids=str)
@pytest.mark.parametrize("t", [0, 0.3, 1])
def test_ways_between_latents_are_those_of_the_prior(node, part, t):
    prior = priors.make(part, shape=(40,))
    a, b = prior.draw(priors.stream(3, "z"), 2)
    between = node(
        "latents.js",
        "return prior(given.input).between(given.a, given.b, given.t)",
        input=_input(part, 40),
        a=a.tolist(),
        b=b.tolist(),
        t=t,
    )
    np.testing.assert_allclose(float32(between), prior.between(a, b, t), rtol=1e-6, atol=1e-6)
    opposite = node(
        "latents.js", "return [slerp(given.a, given.b, 0.5), slerp(given.a, given.a, 0.5)]", a=[1, 0], b=[-1, 0]
    )
    assert opposite == [[0, 0], [1, 0]]  # no great circle: straight


def test_a_loop_passes_through_the_samples_and_closes(node):
    inputs = [
        _input({"normal": {}}, 6),
        {"name": "label", "dtype": "int64", "shape": ["batch"], "prior": None, "classes": ["a"] * 7},
    ]
    walk, ends = node("latents.js", "return [loop(given.inputs, 12, 5, 4), draw(given.inputs, 4, 5)]", inputs=inputs)
    frames, stops = float32(walk["z"]["data"]).reshape(12, 6), float32(ends["z"]["data"]).reshape(4, 6)
    np.testing.assert_allclose(frames[::3], stops, rtol=1e-6)
    expected = priors.make({"normal": {}}, shape=(6,)).between(stops[3], stops[0], 2 / 3)
    np.testing.assert_allclose(frames[11], expected, rtol=1e-5)
    assert walk["label"]["data"] == [ends["label"]["data"][0]] * 12  # one class all the way


@pytest.mark.parametrize("size", [0.01, 0.7, 30])
def test_a_slider_keeps_the_latent_where_its_prior_is(node, size):
    z, way = np.random.standard_normal(50).astype(np.float32), size * np.random.standard_normal(50)
    code = "return prior(given.input).move(given.z, given.way)"
    for part in ({"normal": {}}, {"sphere": {}}):
        moved = float32(node("latents.js", code, input=_input(part, 50), z=z.tolist(), way=way.tolist()))
        assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(z), rel=1e-6)
        assert not np.allclose(moved, z, atol=1e-3)
    box = {"uniform": {"low": -1, "high": 2}}
    start = (np.random.random(50) * 3 - 1).astype(np.float32)
    moved = float32(node("latents.js", code, input=_input(box, 50), z=start.tolist(), way=way.tolist()))
    assert moved.min() >= -1 and moved.max() <= 2 and not np.allclose(moved, start, atol=1e-3)
    inside = (start + way > -1) & (start + way < 2)
    np.testing.assert_allclose(moved[inside], (start + way)[inside], rtol=1e-5, atol=1e-6)  # mirrored only at a wall


def test_pixels_are_scaled_as_by_the_runtime(node):
    """All halves in both directions, the ends, and what lies beyond them."""
    for limits in ((-1.0, 1.0), (0.0, 1.0), (-3.0, 5.0)):
        low, high = limits
        halves = low + (np.arange(255) + 0.5) / 255 * (high - low)
        raw = np.concatenate([halves, np.linspace(low - 1, high + 1, 999)]).astype(np.float32)
        pixels = node(
            "pixels.js", "return toUint8(Float32Array.from(given.raw), given.limits)", raw=raw.tolist(), limits=limits
        )
        np.testing.assert_array_equal(pixels, to_uint8(raw, limits))
        back = node(
            "pixels.js", "return fromUint8(Uint8Array.from({length: 256}, (_, i) => i), given.limits)", limits=limits
        )
        np.testing.assert_array_equal(float32(back), from_uint8(np.arange(256, dtype=np.uint8), limits))
    exact = node("pixels.js", "return toUint8([0.5, 1.5, 2.5, 254.5], [0, 255])")
    assert exact == [0, 2, 2, 254]  # half to even
    refused = node("pixels.js", "try { toUint8([0, NaN], [0, 1]) } catch (error) { return error.message }")
    assert "not finite" in refused


def test_a_photo_becomes_grey_as_by_the_runtime(node):
    from zoo.core.images import grey

    rgb = np.random.randint(0, 256, (1, 1, 500, 3), dtype=np.uint8)
    rgba = np.concatenate([rgb, np.full((1, 1, 500, 1), 255, np.uint8)], axis=-1).ravel().tolist()
    pixels = node("pixels.js", "return fromRgba(Uint8ClampedArray.from(given.rgba), 1)", rgba=rgba)
    np.testing.assert_array_equal(pixels, grey(rgb).ravel())
    assert (
        node("pixels.js", "return fromRgba(Uint8ClampedArray.from(given.rgba), 3)", rgba=rgba) == rgb.ravel().tolist()
    )
    assert node("pixels.js", "return toRgba([7, 8], 1)") == [7, 7, 7, 255, 8, 8, 8, 255]
    assert node("pixels.js", "return toRgba([7, 8, 9, 5], 4)") == [7, 8, 9, 5]


def test_the_size_of_a_photo_is_the_nearest_that_is_allowed(node):
    rule = {"multiple": 4, "minimum": 8, "trained": 16}
    image = Tensor(
        "a",
        "float32",
        ("batch", "height", "width", 3),
        range=(0.0, 1.0),
        layout="NHWC",
        sizes={"height": rule, "width": rule},
    )
    stated = {"shape": list(image.shape), "sizes": {"height": rule, "width": rule}}
    sizes = [(h, w) for h in (1, 9, 10, 11, 14, 18) for w in (8, 22, 30)]
    code = "return given.sizes.map(([h, w]) => allowed(given.input, h, w, Math.max(h, w)))"
    found = node("pixels.js", code, input=stated, sizes=sizes)
    assert [tuple(size) for size in found] == [nearest_size(image, h, w) for h, w in sizes]
    assert node("pixels.js", "return allowed(given.input, 3000, 4000, 32)", input=stated) == [24, 32]
    assert node("pixels.js", "return allowed({shape: ['batch', 28, 30, 1]}, 3000, 4000, 99)") == [28, 30]
    assert node("pixels.js", "return longestSides(given.input)", input=stated) == [16, 32, 64]


@pytest.mark.parametrize(("fit", "source", "target"), [
    ("crop", [25, 0, 50, 50], [0, 0, 20, 20]),
    ("pad", [0, 0, 100, 50], [0, 5, 20, 10]),
    ("resize", [0, 0, 100, 50], [0, 0, 20, 20]),
])  # fmt: skip
def test_a_wide_photo_is_fitted_into_a_square(node, fit, source, target):
    """[x, y, width, height] of a photo 50 high and 100 wide, and where it lands on 20 x 20."""
    placed = node("pixels.js", f"return FITS.{fit}(50, 100, 20, 20)")
    assert placed == {"source": source, "target": target}


def test_a_request_is_what_the_protocol_wants(node):
    code = """
        const z = {data: Float32Array.of(1, 2, 3, 4), shape: [2, 2]};
        const feeds = {z, label: {data: BigInt64Array.of(5n, -6n), shape: [2]}};
        const {body, length} = encode(feeds, "image");
        return [length, Array.from(new Uint8Array(await body.arrayBuffer()))];
    """
    length, body = node("oip.js", code)
    header, raw = json.loads(bytes(body[:length])), bytes(body[length:])
    assert header == {
        "inputs": [
            {"name": "z", "shape": [2, 2], "datatype": "FP32", "parameters": {"binary_data_size": 16}},
            {"name": "label", "shape": [2], "datatype": "INT64", "parameters": {"binary_data_size": 16}},
        ],
        "outputs": [{"name": "image", "parameters": {"binary_data": True}}],
    }
    assert raw == np.array([1, 2, 3, 4], "<f4").tobytes() + np.array([5, -6], "<i8").tobytes()


@pytest.mark.parametrize("padding", range(4))
def test_an_answer_is_read_wherever_its_bytes_begin(node, padding):
    entry = {"name": "image", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}}
    other = {"name": "other", "datatype": "INT64", "shape": [1], "parameters": {"binary_data_size": 8}}
    header = json.dumps({"outputs": [other, entry]}) + " " * padding
    body = header.encode() + bytes(8) + np.array([0.5, -2], "<f4").tobytes()
    code = "return decode(Uint8Array.from(given.body).buffer, given.length, given.name)"
    assert node("oip.js", code, body=list(body), length=len(header), name="image") == {
        "data": [0.5, -2],
        "shape": [1, 2],
    }
    lacking = f"try {{ {code} }} catch (error) {{ return error.message }}"
    assert "lacks" in node("oip.js", lacking, body=list(body), length=len(header), name="picture")


def test_eigenvectors_are_those_of_numpy(node):
    half = np.random.standard_normal((9, 4))
    matrix = half @ half.T + np.diag(np.arange(9))  # eigenvalues far apart
    pairs = node("directions.js", "return eigen(given.matrix)", matrix=matrix.tolist())
    values, vectors = np.linalg.eigh(matrix)
    np.testing.assert_allclose([pair["value"] for pair in pairs], values[::-1], rtol=1e-9)
    for pair, expected in zip(pairs, vectors.T[::-1], strict=True):
        assert abs(np.dot(pair["vector"], expected)) == pytest.approx(1, abs=1e-9)


def test_directions_are_those_that_change_most(node):
    """A linear generator A z whose latent has fewer numbers than there are probes: the singular vectors of A."""
    matrix = np.random.standard_normal((30, 8)) * [9, 7, 5, 3, 2, 1, 0.5, 0.1]
    code = """
        const times = (z) => given.matrix.map((row) => row.reduce((sum, x, i) => sum + x * z[i], 0));
        const render = async (rows) => Float32Array.from(rows.flatMap(times));
        const straight = {radius: () => 1, move: (z, way) => z.map((x, i) => x + way[i])};
        return directions(new Float64Array(8), straight, render);
    """
    ways = np.array(node("directions.js", code, matrix=matrix.tolist()))
    np.testing.assert_allclose(ways @ ways.T, np.eye(6), atol=1e-9)
    _, _, right = np.linalg.svd(matrix)
    np.testing.assert_allclose(np.abs(np.sum(ways * right[:6], axis=1)), 1, atol=1e-5)


def test_probes_are_orthonormal_and_no_more_than_there_are_dimensions(node):
    for size, expected in ((2, 2), (24, 24), (300, 24)):
        basis = np.array(node("directions.js", "return orthonormal(PROBES, given.size)", size=size))
        np.testing.assert_allclose(basis @ basis.T, np.eye(expected), atol=1e-12)


def test_a_task_that_is_asked_too_often_runs_once_more_with_the_newest(node):
    code = """
        const seen = [];
        let free;
        const task = newest(async (x) => { seen.push(x); await new Promise((resolve) => { free = resolve; }); });
        const first = task(1); task(2); task(3);
        free(); await new Promise((resolve) => setTimeout(resolve)); free(); await first;
        return seen;
    """
    assert node("newest.js", code) == [1, 3]


def _input(part, *shape):
    return {"name": "z", "dtype": "float32", "shape": ["batch", *shape], "prior": part, "classes": []}


def _words():
    text = nets.describe_words().inputs[1]
    return json.loads(json.dumps({"name": text.name, "dtype": text.dtype, "shape": text.shape, "prior": None,
                                  "classes": [], "text": text.text}))  # fmt: skip


def test_examples_of_texts_are_those_of_the_runtime(node, tmp_path):
    generator = zoo.load(nets.save_words(tmp_path / "words"))
    code = "return given.seeds.map((seed) => draw([given.input], 40, seed).text)"
    for seed, drawn in zip(SEEDS, node("latents.js", code, seeds=SEEDS, input=_words()), strict=True):
        assert drawn["shape"] == [40, nets.LONGEST]
        np.testing.assert_array_equal(np.reshape(drawn["data"], (40, -1)), generator.latents(40, seed=seed)["text"])


def test_a_text_fills_the_batch_and_stays_in_a_walk(node):
    ids = list(nets.WORDS.read("mint smile", nets.LONGEST).ids)
    code = """
        const input = { ...given.input, vocabulary: new Map(given.words.map((word, i) => [word, i + 1])) };
        const walk = loop([input], 3, 0, 2, { text: "Smile" });
        return [draw([input], 2, 0, { text: "Mint, smile!" }).text, walk.text];
    """
    drawn, walked = node("latents.js", code, input=_words(), words=nets.WORDS.words)
    assert drawn == {"data": ids * 2, "shape": [2, nets.LONGEST]}
    assert walked["data"] == list(nets.WORDS.read("smile", nets.LONGEST).ids) * 3


def test_snippets_of_a_text(node):
    card = {"name": "words", "kind": "images", "inputs": [_input({"normal": {}}, 8), _words()],
            "outputs": [{"name": "image", "shape": ["batch", 8, 8, 3], "range": [-1, 1]}]}  # fmt: skip
    place = {"seed": 1, "n": 2, "text": "mint 'n' \"smile\""}
    made = node("snippets.js", "return snippets(given.card, 'http://h', given.place)", card=card, place=place)
    assert 'sample(2, seed=1, text="mint \'n\' \\"smile\\"")' in made["Python"]
    assert "http://h/models/words/vocabulary.txt" in made["Python"]
    body = shlex.split(made["curl"])[shlex.split(made["curl"]).index("-d") + 1]
    assert json.loads(body) == {"n": 2, "seed": 1, "text": place["text"]}
    assert 'new ort.Tensor("int32", Int32Array.from(Array(2).fill([4,1,2,0,0,0]).flat()), [2, 6])' in made["JavaScript"]


def test_a_text_without_a_known_word_leaves_snippets_of_an_example(node):
    """The drawing says what is wrong with the text; what a snippet throws would end the page's change."""
    card = {"name": "words", "kind": "images", "inputs": [_input({"normal": {}}, 8), _words()],
            "outputs": [{"name": "image", "shape": ["batch", 8, 8, 3], "range": [-1, 1]}]}  # fmt: skip
    code = """
        given.card.inputs[1].vocabulary = new Map(given.words.map((word, i) => [word, i + 1]));
        return ["xyzzy", "smile"].map((text) => snippets(given.card, "http://h", { seed: 1, n: 2, text }).JavaScript);
    """
    unknown, known = node("snippets.js", code, card=card, words=nets.WORDS.words)
    assert "fill([4,1,2,0,0,0])" in unknown and "fill([5,0,0,0,0,0])" in known


def test_snippets_keep_the_size_of_a_picture_where_the_translator_takes_it(node):
    image = {"name": "a", "layout": "NHWC", "range": [-1, 1], "classes": [], "prior": None}
    axis = {"multiple": 4, "minimum": 8, "trained": 16}
    many = {**image, "shape": ["batch", "height", "width", 4], "sizes": {"height": axis, "width": axis}}
    one = {**image, "shape": ["batch", 32, 48, 1], "sizes": None}
    code = "return snippets(given.card, 'http://h', {})"
    made = {}
    for name, tensor in (("many", many), ("one", one)):
        card = {"name": name, "kind": "translation", "inputs": [tensor], "outputs": [{**tensor, "name": "b"}]}
        made[name] = node("snippets.js", code, card=card)
    assert ".resize" not in made["many"]["Python"] and 'convert("RGBA")' in made["many"]["Python"]
    assert "fit=" not in made["many"]["curl"]
    assert 'convert("L").resize((48, 32))' in made["one"]["Python"] and "translate?fit=crop" in made["one"]["curl"]


def test_a_number_that_is_given_stays_within_its_limits(node):
    psi = {**_input({"given": {"default": 1, "low": 0, "high": 2}}, 1), "name": "psi"}
    free = {**_input({"uniform": {"low": -1, "high": 1}}, 1), "name": "slant"}  # beyond its prior on purpose
    code = "return given.values.map((value) => [within(given.psi, value), within(given.free, value)])"
    found = node("latents.js", code, psi=psi, free=free, values=[5, 0.5, -1])
    assert found == [[2, 5], [0.5, 0.5], [0, -1]]
    assert node("latents.js", "return within(given.psi, NaN)", psi=psi) is None
