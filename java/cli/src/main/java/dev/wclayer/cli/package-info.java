/** The command line: one class a command, over the library's public API alone. */
@NullMarked
package dev.wclayer.cli;

import org.jspecify.annotations.NullMarked;
