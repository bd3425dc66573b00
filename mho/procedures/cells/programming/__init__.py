"""Write cells to levels: the procedure Program, its strategies, and the programmer that other procedures use."""
