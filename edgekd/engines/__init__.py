"""Where steps run: in this process, or in several processes of this machine."""
