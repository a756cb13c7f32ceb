package projections

// Expand writes out the views of other migrations than those of this package.
var Expand = expand
