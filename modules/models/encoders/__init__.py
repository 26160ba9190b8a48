"""One file an encoder of histories; `base.build_encoder` finds them by name."""
