"""What came out: the tables of a study on disk, and the account of the compute they took."""

from results.tables import load as load
