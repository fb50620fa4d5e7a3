"""A scripted world with the files of Action Genome: real frames, real pickles, made up scenes."""
