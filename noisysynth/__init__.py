"""noisysynth: a neural synthesizer you play from a MIDI keyboard."""

__version__ = "0.1.0"
