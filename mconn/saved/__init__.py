"""Two saved networks: read, moved onto one another, connected by a path, and written.

network_of, Network -- the model that a config trains, as a function and shapes
read, Saved -- a network from a ``.npz`` file, an orbax checkpoint, or a seed of a run
align, Alignment -- the second of a `Pair` moved onto the first
connect, Connection -- a path fitted between the two
write, check_target, numbers_file -- a network with its numbers beside it
write_path, read_path -- the control points of a path
open_folder, close_folder -- a folder of results, complete or to go on from
"""

from mconn.saved.alignment import (
    DATA_FREE as DATA_FREE,
    OFFERED as OFFERED,
    Alignment as Alignment,
    align as align,
    check_options as check_options,
)
from mconn.saved.connection import (
    Connection as Connection,
    connect as connect,
    read_path as read_path,
    write_path as write_path,
)
from mconn.saved.reading import (
    Network as Network,
    Pair as Pair,
    Saved as Saved,
    network_of as network_of,
    read as read,
)
from mconn.saved.writing import (
    WORK as WORK,
    check_target as check_target,
    close_folder as close_folder,
    numbers_file as numbers_file,
    open_folder as open_folder,
    write as write,
)
