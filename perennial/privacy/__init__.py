"""What a person may ask of us: export, erasure, to be left alone, to be one lead."""
