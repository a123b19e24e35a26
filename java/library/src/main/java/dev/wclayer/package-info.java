/**
 * Windows container layers: the driver, its streams and its errors.
 *
 * <p>Start with {@link dev.wclayer.WindowsDriver}. All times of Windows are {@link java.time.Instant}s, all sizes are in
 * bytes and say so in their names, all paths inside a layer are written as in its tar ({@code Files/Windows/a.dll}).
 */
package dev.wclayer;
