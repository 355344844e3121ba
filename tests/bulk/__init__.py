"""Many images: the room `dalle2.bulk`."""
