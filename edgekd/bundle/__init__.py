"""What a platform deploys, made from an artifact."""

from edgekd.bundle.bundle import Bundle, make_bundle, read_bundle

__all__ = ["Bundle", "make_bundle", "read_bundle"]
