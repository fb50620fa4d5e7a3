"""Pure functions on arrays and tensors: geometry, masks, ragged packing, decoding."""
