"""The labelling page's server: a door to `labelling`; parse, call, serialise. The page itself is in `web/`."""
