"""The ONNX export against the model that it came from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scorers.retrieval.encoders import (
    DEFAULT_MODEL,
    EncoderError,
    OnnxEncoder,
    SentenceTransformerEncoder,
    catalogue_encoder,
)
from scorers.retrieval.export import export

TEXTS = [
    "rain boots",
    "wireless noise cancelling headphones",
    "64gb phone",
    "128gb phone",
    "Waterproof hiking boots for women, size 9, leather, brown",
    "é中文🥾",
    "",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models") / "encoder"
    export(DEFAULT_MODEL, place)
    return place


@pytest.mark.slow
def test_the_export_agrees_with_the_original(folder: Path) -> None:
    encoder = OnnxEncoder(folder)
    ours, original = encoder.encode(TEXTS), SentenceTransformerEncoder().encode(TEXTS)
    assert ours.shape == (len(TEXTS), 384)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    assert (ours * original).sum(axis=1)[:-1].min() > 0.98
    assert encoder.encode([]).shape == (0, 384)


@pytest.mark.slow
def test_a_vector_does_not_depend_on_its_batch_mates(folder: Path) -> None:
    encoder = OnnxEncoder(folder)
    alone = np.vstack([encoder.encode([text]) for text in TEXTS * 20])
    done: list[int] = []
    np.testing.assert_array_equal(encoder.encode(TEXTS * 20, done.append), alone)
    assert sum(done) == len(TEXTS) * 20


@pytest.mark.slow
def test_a_catalogue_is_embedded_in_full_precision_where_it_can_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = OnnxEncoder(folder)
    encoder, done = catalogue_encoder(export), list[int]()
    assert encoder.name != export.name, "a table embedded by one is never taken for the other's"
    many = [f"{text} {number}" for number in range(200) for text in TEXTS]
    np.testing.assert_allclose(encoder.encode(many, done.append)[-7:], encoder.encode(many[-7:]), atol=1e-4)
    assert sum(done) == len(many)
    assert encoder.encode([]).shape == (0, 384)

    monkeypatch.setattr("scorers.retrieval.encoders.find_spec", lambda name: None)
    assert catalogue_encoder(export) is export


@pytest.mark.slow
def test_workers_embed_without_torch(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from scorers.retrieval.encoders import OnnxEncoder;"
        f"OnnxEncoder(Path({str(folder)!r})).encode(['boots']);"
        "sys.exit(bool({'torch', 'sentence_transformers', 'feast'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_a_changed_export_is_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("encoder.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "encoder.onnx").write_bytes(b"something else")
    with pytest.raises(EncoderError, match=r"encoder\.onnx is not the file that was exported"):
        OnnxEncoder(tmp_path)


def test_a_missing_export_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="keypulse embed-model export"):
        OnnxEncoder(tmp_path)
