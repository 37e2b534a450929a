"""Labelling: who said what of which clip; questions, queue, agreement, consensus, and tables that train at once."""
