"""The usual script: librosa, a list of lists, JSON with an indent, and back: FOLDER OUT.json SEGMENT_SECONDS."""

import json
import os
import sys

import librosa
import numpy as np

folder, out, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
RATE = 22050
data: dict[str, list[object]] = {"mapping": [], "mfcc": [], "labels": []}
for i, (place, _, names) in enumerate(sorted(os.walk(folder))):
    data["mapping"].append(os.path.basename(place))
    for name in sorted(names):
        signal, rate = librosa.load(os.path.join(place, name), sr=RATE)
        length = int(seconds * RATE)
        for start in range(0, len(signal) - length + 1, length):
            mfcc = librosa.feature.mfcc(
                y=signal[start : start + length], sr=rate, n_mfcc=13, n_fft=2048, hop_length=512
            )
            data["mfcc"].append(mfcc.T.tolist())
            data["labels"].append(i)
with open(out, "w") as file:
    json.dump(data, file, indent=4)

with open(out) as file:
    data = json.load(file)
inputs, targets = np.array(data["mfcc"]), np.array(data["labels"])
assert len(inputs) == len(targets)
