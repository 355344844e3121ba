"""What an image is: its data, when its URL dies, and whether bytes are one whole picture."""
