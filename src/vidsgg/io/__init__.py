"""Files: videos, images, pickles from strangers, annotation columns, graphs."""
