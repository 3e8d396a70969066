"""Raw data (FASTA, tables, BED + genome) to HDF5 that the batch generators read.

Submodules are imported one by one, so that naming the files (`plan`) costs neither numpy nor h5py.
"""
