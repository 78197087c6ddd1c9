"""What a run leaves and shows: its events, its folder, its figures, the live view and the plots."""
