"""Where the weights come from that the default network begins with: made-up sounds, and what is learned from them."""
