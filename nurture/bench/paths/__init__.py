"""Every path of a track: explored, checked, told as stories, drawn."""
