"""The model of the NoisyGAN paper (Gordon, Hanlon), as its authors describe it; see docs/noisygan.md."""
