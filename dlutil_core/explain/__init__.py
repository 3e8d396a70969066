"""What a sequence model saw: attributions of its inputs, motifs of its first filters.

============== =================================================================
`motifs`       count matrices; MEME and JASPAR files, read and written
`compare`      how alike two motifs are, over all offsets and both strands
`target`       the number that is explained
`attribution`  input × gradient, integrated gradients, in-silico mutagenesis
`filters`      what the filters of the first convolution respond to
`logos`        sequence logos
`explaining`   all of it for the best model of a run
============== =================================================================
"""
