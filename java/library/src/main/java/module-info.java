/**
 * Windows container layers: stored, compared, mounted, imported and exported through a native core.
 *
 * <p>Start with {@link dev.wclayer.WindowsDriver}. The package {@link dev.wclayer.compress} needs Commons Compress on
 * the module path (or class path); everything else needs the JDK alone.
 */
@org.jspecify.annotations.NullMarked
module dev.wclayer {
    requires static transitive org.jspecify;
    requires static transitive org.apache.commons.compress;

    exports dev.wclayer;
    exports dev.wclayer.compress;
}
