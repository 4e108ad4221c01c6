"""Batches that are made ahead by threads come in the order of the steps, as they were made."""

import os
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from zoo.nn import ahead


class Numbered:
    """Batches that name their step, of which every other one takes longer; and how many were made at the same time."""

    def __init__(self):
        self.made, self.now, self.at_once, self.lock = [], 0, 0, threading.Lock()

    def pixels(self, step):
        with self.lock:
            self.made.append(step)
            self.now += 1
            self.at_once = max(self.at_once, self.now)
        time.sleep(0.005 * (1 + step % 2))
        with self.lock:
            self.now -= 1
        return {"image": np.full((2, 3, 4, 4, 1), step % 256, np.uint8), "z": np.full((1, 3), step, np.float32)}


def read(batches, first, last, backend, monkeypatch):
    monkeypatch.setattr(ahead.keras.backend, "backend", lambda: backend)
    given = ahead.steps(batches, first, last)
    if backend == "tensorflow":
        return given
    assert (given.workers, given.max_queue_size) == (ahead.FEEDERS, ahead.QUEUED)  # Keras's threads
    return (given[i] for i in range(len(given)))


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_steps_come_in_order_and_as_they_were_made(backend, monkeypatch):
    found = [batch for (batch,) in read(Numbered(), 5, 45, backend, monkeypatch)]
    assert len(found) == 40
    for step, batch in enumerate(found, 5):
        for name, expected in Numbered().pixels(step).items():
            value = np.asarray(batch[name])
            assert value.dtype == expected.dtype and np.array_equal(value, expected)


def test_threads_are_at_most_a_queue_ahead(monkeypatch):
    batches = Numbered()
    reader = iter(read(batches, 0, 1000, "tensorflow", monkeypatch))
    for _ in range(3):
        next(reader)
    time.sleep(0.5)
    assert ahead.QUEUED <= max(batches.made) <= 3 + ahead.QUEUED + ahead.FEEDERS
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert batches.at_once == min(ahead.FEEDERS, cores)  # TensorFlow has no more threads than cores
    assert batches.made.count(0) == 2  # its shape is looked at first


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_until_the_budget_is_used(backend, monkeypatch):
    monkeypatch.setattr(ahead.keras.backend, "backend", lambda: backend)
    assert len(ahead.steps(Numbered(), 7, 10**30)) == 2**31 - 1


def test_a_batch_that_cannot_be_made_ends_the_reading(monkeypatch):
    class Broken(Numbered):
        def pixels(self, step):
            if step == 3:
                raise OSError("the disk is gone")
            return super().pixels(step)

    with pytest.raises(tf.errors.UnknownError, match="the disk is gone"):
        list(read(Broken(), 0, 10, "tensorflow", monkeypatch))
