package dev.wclayer;

import dev.wclayer.internal.ApplyHandle;
import dev.wclayer.internal.DriverHandle;
import dev.wclayer.internal.NativeLibrary;
import dev.wclayer.internal.Query;
import dev.wclayer.internal.RecordReader;
import dev.wclayer.internal.SourceHandle;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Docker's Windows graphdriver on one home: a folder of Windows container layers.
 *
 * <p><b>Ids.</b> A layer id has 1 to 128 characters {@code [A-Za-z0-9][A-Za-z0-9._-]*}, does not end in {@code .} or
 * {@code -removing}, is no DOS device name, and is compared without regard to case. Anything else is an
 * {@link InvalidLayerArgumentException}, an id of no layer a {@link LayerNotFoundException}.
 *
 * <p><b>Parents.</b> Where a call takes the parent to compare with, {@code null} means the layer's direct parent, an id
 * an ancestor (the layers between are squashed), and {@code ""} none: the whole chain, squashed.
 *
 * <p><b>Threads.</b> All methods may be called by several threads at once, for one layer too. Several processes can open
 * one home. Who meets a held lock waits, by default 10 s, and then gets a {@link LayerBusyException} that names the
 * holder.
 *
 * <p><b>Closing.</b> After {@link #close()} every method throws {@link IllegalStateException}; calls and streams that run
 * go on, and the native driver is freed when the last of them ends.
 *
 * <p><b>Errors.</b> Failures are {@link LayerException}s: one subclass for each kind, with call, layer, path and cause. A
 * failed call leaves the store as it was.
 */
public final class WindowsDriver implements AutoCloseable {
    private static final int FLAVOUR_DIFF = 0;
    private static final int FLAVOUR_FILTER = 1;
    private static final String BACKEND = "backend";

    private final Path home;
    private final DriverHandle handle;

    private WindowsDriver(Path home, DriverHandle handle) {
        this.home = home;
        this.handle = handle;
    }

    /**
     * Opens a home with the filter driver (windowsfilter), as Docker does.
     *
     * @param home the folder, made if it is not there
     * @param options see {@link Builder#option}; also {@code backend}: {@code auto}, {@code system} or {@code portable}
     * @param uidMaps accepted and without effect: Windows layers have no numeric owners
     * @param gidMaps as {@code uidMaps}
     * @return the driver, which the caller closes
     * @throws InvalidLayerArgumentException if an option is unknown or its value wrong
     * @throws LayerException if the home cannot be opened
     */
    public static WindowsDriver initFilter(
            Path home, Map<String, String> options, List<IdMapping> uidMaps, List<IdMapping> gidMaps)
            throws LayerException {
        return init(FLAVOUR_FILTER, home, options, uidMaps, gidMaps);
    }

    /**
     * Opens a home with the diff driver (windowsdiff), which moves plain tars of whole folders into and out of the home.
     *
     * @param home the folder, made if it is not there
     * @param options see {@link Builder#option}; also {@code backend}: {@code auto}, {@code system} or {@code portable}
     * @param uidMaps accepted and without effect: Windows layers have no numeric owners
     * @param gidMaps as {@code uidMaps}
     * @return the driver, which the caller closes
     * @throws InvalidLayerArgumentException if an option is unknown or its value wrong
     * @throws LayerException if the home cannot be opened
     */
    public static WindowsDriver initDiff(
            Path home, Map<String, String> options, List<IdMapping> uidMaps, List<IdMapping> gidMaps)
            throws LayerException {
        return init(FLAVOUR_DIFF, home, options, uidMaps, gidMaps);
    }

    private static WindowsDriver init(
            int flavour, Path home, Map<String, String> options, List<IdMapping> uidMaps, List<IdMapping> gidMaps)
            throws LayerException {
        Objects.requireNonNull(uidMaps, "uidMaps");
        Objects.requireNonNull(gidMaps, "gidMaps");
        Builder builder = builder(home);
        builder.flavour = flavour;
        options.forEach(builder::option);
        return builder.open();
    }

    /**
     * Starts to set up a driver.
     *
     * @param home the folder of the layers, made (for its owner alone) if it is not there
     * @return a builder with the defaults: windowsfilter, backend {@code auto}
     */
    public static Builder builder(Path home) {
        return new Builder(home);
    }

    /**
     * Whether the native library can be loaded here.
     *
     * @return empty if it can; else why not, and what would help
     */
    public static Optional<String> unavailable() {
        try {
            NativeLibrary.ensureLoaded();
            return Optional.empty();
        } catch (UnsatisfiedLinkError error) {
            return Optional.of(String.valueOf(error.getMessage()));
        }
    }

    /**
     * The folder of the layers.
     *
     * @return an absolute path
     */
    public Path home() {
        return home;
    }

    /**
     * Create: makes an empty read-only layer, for {@code applyDiff} to fill. A parent that ends in {@code -init} and is
     * unfilled makes a writable layer on that parent's own parents instead, which is how Docker 1.10 asks for one.
     *
     * @param id the new layer
     * @param parent the layer below; {@code ""} for none
     * @throws LayerExistsException if there is a layer of that id
     * @throws ParentNotFoundException if the parent does not exist or is writable; nothing was made
     * @throws LayerException if it failed otherwise; nothing was made
     */
    public void create(String id, String parent) throws LayerException {
        create(id, parent, CreateOptions.DEFAULT);
    }

    /**
     * Create, with options; see {@link #create(String, String)}.
     *
     * @param id the new layer
     * @param parent the layer below; {@code ""} for none
     * @param options the size, of use if the layer becomes a writable one
     * @throws LayerException as the other form does
     */
    public void create(String id, String parent, CreateOptions options) throws LayerException {
        handle.create(named(id), Objects.requireNonNull(parent, "parent"), false, options.sizeBytes());
    }

    /**
     * CreateReadWrite: makes a writable layer.
     *
     * @param id the new layer
     * @param parent the read-only layer below; {@code ""} for none (not on Windows)
     * @throws LayerExistsException if there is a layer of that id
     * @throws ParentNotFoundException if the parent does not exist or is writable; nothing was made
     * @throws LayerException if it failed otherwise; nothing was made
     */
    public void createReadWrite(String id, String parent) throws LayerException {
        createReadWrite(id, parent, CreateOptions.DEFAULT);
    }

    /**
     * CreateReadWrite, with options; see {@link #createReadWrite(String, String)}.
     *
     * @param id the new layer
     * @param parent the read-only layer below; {@code ""} for none (not on Windows)
     * @param options the size of the container's disk
     * @throws LayerException as the other form does
     */
    public void createReadWrite(String id, String parent, CreateOptions options) throws LayerException {
        handle.create(named(id), Objects.requireNonNull(parent, "parent"), true, options.sizeBytes());
    }

    /**
     * Get: mounts a layer, or counts one more use of it if it is mounted. Pair it with {@link #put}, or use
     * {@link #mount}. What is not put when the driver closes is unmounted then.
     *
     * @param id the layer
     * @return for a writable layer the merged root ({@code C:\}); for a read-only one its folder
     * @throws LayerNotFoundException if there is no such layer
     * @throws LayerBusyException if another process holds the layer
     * @throws MountMismatchException if the layer was first mounted in a way that is not possible here
     * @throws LayerException if it failed otherwise; the layer is as it was
     */
    public Path get(String id) throws LayerException {
        return Path.of(handle.get(named(id), false));
    }

    /**
     * Get for longer than this process: the use ends with a {@link #put} by whomever, {@link #remove(String, boolean)}
     * by force, or a restart of the machine.
     *
     * @param id the layer
     * @return as {@link #get} does
     * @throws LayerException as {@link #get} does
     */
    public Path getDetached(String id) throws LayerException {
        return Path.of(handle.get(named(id), true));
    }

    /**
     * Put: gives one use back; the last one unmounts. Without a matching Get it does nothing.
     *
     * @param id the layer
     * @throws LayerNotFoundException if there is no such layer
     * @throws LayerBusyException if a program still uses the mount, or a Diff of it is being read
     * @throws LayerException if it failed otherwise; the use is kept
     */
    public void put(String id) throws LayerException {
        handle.put(named(id));
    }

    void putIfOpen(String id) throws LayerException {
        if (!handle.closed()) {
            handle.put(id);
        }
    }

    /**
     * Get and Put as one owner.
     *
     * @param id the layer
     * @return the mount, which the caller closes
     * @throws LayerException as {@link #get} does
     */
    public LayerMount mount(String id) throws LayerException {
        return new LayerMount(this, id, handle.get(named(id), false));
    }

    /**
     * Exists.
     *
     * @param id a layer id, or any text
     * @return whether there is a layer of that id
     * @throws LayerException if the id could not be asked for at all
     */
    public boolean exists(String id) throws LayerException {
        return handle.exists(named(id));
    }

    /**
     * GetMetadata.
     *
     * @param id the layer, which need not exist
     * @return one key, {@code dir}: the layer's folder
     * @throws LayerException if the id is none
     */
    public Map<String, String> getMetadata(String id) throws LayerException {
        Map<String, String> metadata = new LinkedHashMap<>();
        handle.query(Query.METADATA, named(id), null, Records::pair, pair -> metadata.put(pair.key(), pair.value()));
        return metadata;
    }

    /**
     * Status: what this driver is and how much is in it.
     *
     * @return lines, {@code ("Windows", "")} first
     * @throws LayerException if the home cannot be read
     */
    public List<StatusItem> status() throws LayerException {
        return handle.query(Query.STATUS, null, null, Records::pair);
    }

    /**
     * String: the driver's name.
     *
     * @return {@code windowsfilter} or {@code windowsdiff}
     */
    @Override
    public String toString() {
        try {
            return handle.name();
        } catch (LayerException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /**
     * Cleanup: finishes removals and imports that were interrupted, drops mounts whose owner is gone and removes
     * left-over temporary folders. Opening does it too.
     *
     * @return what was done, one line each
     * @throws LayerException if something could not be cleaned
     */
    public List<String> cleanup() throws LayerException {
        return handle.query(Query.CLEANUP, null, null, RecordReader::text);
    }

    /**
     * Remove.
     *
     * @param id the layer
     * @throws LayerNotFoundException if there is no such layer
     * @throws LayerBusyException if it is mounted or being read, or layers are built on it
     * @throws LayerException if it failed otherwise; a removal that had begun is finished by the next open or
     *     {@link #cleanup}
     */
    public void remove(String id) throws LayerException {
        remove(id, false);
    }

    /**
     * Remove, with force: a mounted layer is unmounted first, whoever uses it. Layers built on it still prevent it.
     *
     * @param id the layer
     * @param force whether to unmount
     * @throws LayerException as the other form does
     */
    public void remove(String id, boolean force) throws LayerException {
        handle.remove(named(id), force);
    }

    /**
     * Diff: opens the tar of what a layer adds to, changes in and removes from a parent, as OCI layers are.
     *
     * @param id the layer, mounted or not
     * @param parent what to compare with: {@code null} or the direct parent for the layer's own tar, which has the bytes
     *     of the tar that was applied; an ancestor, or {@code ""} for none: squashed
     * @return the stream, which the caller closes
     * @throws InvalidLayerArgumentException if the parent is no ancestor of the layer
     * @throws HivesNotMergeableException if several of the squashed layers change the registry
     * @throws LayerException if it failed otherwise
     */
    public LayerDiff diff(String id, @Nullable String parent) throws LayerException {
        return diff(id, parent, DiffOptions.DEFAULT);
    }

    /**
     * Diff, with options; see {@link #diff(String, String)}.
     *
     * @param id the layer, mounted or not
     * @param parent what to compare with; {@code null}: the direct parent; {@code ""}: none
     * @param options format, compression, progress, cancellation
     * @return the stream, which the caller closes
     * @throws LayerException as the other form does
     */
    public LayerDiff diff(String id, @Nullable String parent, DiffOptions options) throws LayerException {
        checkNotCancelled("Diff", id, options.cancellation());
        SourceHandle source = handle.openDiff(
                named(id),
                parent,
                options.format().number,
                options.compression().number,
                options.level(),
                options.threads(),
                options.rebuild(),
                options.digests());
        Control control = new Control("Diff", id, options.progress(), options.cancellation(), source::cancel);
        return new LayerDiff(id, source, handle.buffers(), control);
    }

    /**
     * Changes: what a layer adds, modifies and deletes.
     *
     * @param id the layer, mounted or not
     * @param parent what to compare with; {@code null}: the direct parent; {@code ""}: none, so that all is added
     * @return the changes, sorted by path; folders that are only on the way to a change are not listed
     * @throws InvalidLayerArgumentException if the parent is no ancestor of the layer
     * @throws LayerException if it failed otherwise
     */
    public List<Change> changes(String id, @Nullable String parent) throws LayerException {
        return handle.query(Query.CHANGES, named(id), parent, Records::change);
    }

    /**
     * DiffSize: what {@code applyDiff} of the Diff would return, without making it.
     *
     * @param id the layer, mounted or not
     * @param parent what to compare with; {@code null}: the direct parent; {@code ""}: none
     * @return bytes of the added and modified files below {@code Files} and {@code UtilityVM/Files}, each hard-linked file
     *     counted once
     * @throws InvalidLayerArgumentException if the parent is no ancestor of the layer
     * @throws LayerException if it failed otherwise
     */
    public long diffSize(String id, @Nullable String parent) throws LayerException {
        return handle.diffSize(named(id), parent);
    }

    /**
     * ApplyDiff: makes a layer of a tar (plain, gzip or zstd, recognised by content), or fills the one that Create made.
     * One pass; all or nothing.
     *
     * @param id the layer
     * @param parent the layer below; {@code ""} for none: a base layer; {@code null}: as given to Create, else none
     * @param archive the archive, read to its end and not closed
     * @return size and digests
     * @throws LayerExistsException if the layer is filled already
     * @throws LayerBusyException if it is mounted, or has layers built on it
     * @throws BadArchiveException if the archive is malformed or truncated
     * @throws UnsafePathException if an entry would leave the layer
     * @throws LayerException if the layer could not be made
     * @throws IOException if the archive cannot be read
     */
    public ApplyResult applyDiff(String id, @Nullable String parent, InputStream archive) throws IOException {
        return applyDiff(id, parent, archive, ApplyOptions.DEFAULT);
    }

    /**
     * ApplyDiff from a stream, with options; see {@link #applyDiff(String, String, InputStream)}.
     *
     * @param id the layer
     * @param parent the layer below; {@code ""} for none; {@code null}: as given to Create, else none
     * @param archive the archive, read to its end and not closed
     * @param options expected digests, progress, cancellation
     * @return size and digests
     * @throws DigestMismatchException if the archive has not the expected digest
     * @throws IOException as the other form does
     */
    public ApplyResult applyDiff(String id, @Nullable String parent, InputStream archive, ApplyOptions options)
            throws IOException {
        return apply(id, parent, ArchiveFeeder.of(archive), options);
    }

    /**
     * ApplyDiff from a channel, for example a FileChannel, from its position on.
     *
     * @param id the layer
     * @param parent the layer below; {@code ""} for none; {@code null}: as given to Create, else none
     * @param archive the archive, in blocking mode, read to its end and not closed
     * @return size and digests
     * @throws IOException as {@link #applyDiff(String, String, InputStream)} does
     */
    public ApplyResult applyDiff(String id, @Nullable String parent, ReadableByteChannel archive) throws IOException {
        return applyDiff(id, parent, archive, ApplyOptions.DEFAULT);
    }

    /**
     * ApplyDiff from a channel, with options.
     *
     * @param id the layer
     * @param parent the layer below; {@code ""} for none; {@code null}: as given to Create, else none
     * @param archive the archive, in blocking mode, read to its end and not closed
     * @param options expected digests, progress, cancellation
     * @return size and digests
     * @throws DigestMismatchException if the archive has not the expected digest
     * @throws IOException as {@link #applyDiff(String, String, InputStream)} does
     */
    public ApplyResult applyDiff(String id, @Nullable String parent, ReadableByteChannel archive, ApplyOptions options)
            throws IOException {
        return apply(id, parent, ArchiveFeeder.of(archive), options);
    }

    /**
     * ApplyDiff from a file, which is opened and read natively.
     *
     * @param id the layer
     * @param parent the layer below; {@code ""} for none; {@code null}: as given to Create, else none
     * @param archive the archive
     * @return size and digests
     * @throws IOException as {@link #applyDiff(String, String, InputStream)} does
     */
    public ApplyResult applyDiff(String id, @Nullable String parent, Path archive) throws IOException {
        return applyDiff(id, parent, archive, ApplyOptions.DEFAULT);
    }

    /**
     * ApplyDiff from a file, with options.
     *
     * @param id the layer
     * @param parent the layer below; {@code ""} for none; {@code null}: as given to Create, else none
     * @param archive the archive
     * @param options expected digests, progress, cancellation
     * @return size and digests
     * @throws DigestMismatchException if the archive has not the expected digest
     * @throws IOException as {@link #applyDiff(String, String, InputStream)} does
     */
    public ApplyResult applyDiff(String id, @Nullable String parent, Path archive, ApplyOptions options)
            throws IOException {
        return apply(id, parent, ArchiveFeeder.of(archive), options);
    }

    private ApplyResult apply(String id, @Nullable String parent, ArchiveFeeder archive, ApplyOptions options)
            throws IOException {
        return feed("ApplyDiff", id, openApply(named(id), parent, options), archive, options);
    }

    private ApplyResult feed(
            String operation, String id, ApplyHandle opened, ArchiveFeeder archive, ApplyOptions options)
            throws IOException {
        try (ApplyHandle apply = opened;
                Control control =
                        new Control(operation, id, options.progress(), options.cancellation(), apply::cancel)) {
            if (!apply.alreadyThere()) {
                archive.feed(apply, handle.buffers(), control);
                control.check();
            }
            ApplyHandle.Result result = apply.finish();
            control.tell(apply::progress);
            return new ApplyResult(
                    result.sizeBytes(),
                    result.diffId(),
                    result.blobDigest(),
                    result.blobBytes(),
                    result.tarBytes(),
                    result.alreadyThere(),
                    result.warnings());
        }
    }

    /** Waits as long as another call unpacks what this one expects, unless it is called off. */
    private ApplyHandle openApply(String id, @Nullable String parent, ApplyOptions options) throws LayerException {
        String diffId = Objects.requireNonNullElse(options.expectedDiffId(), "");
        String blobDigest = Objects.requireNonNullElse(options.expectedBlobDigest(), "");
        String osVersion = Objects.requireNonNullElse(options.osVersion(), "");
        for (; ; ) {
            if (Control.stopped(options.cancellation())) {
                throw Failures.cancelled("ApplyDiff", id);
            }
            Optional<ApplyHandle> apply = handle.openApply(id, parent, diffId, blobDigest, osVersion);
            if (apply.isPresent()) {
                return apply.get();
            }
        }
    }

    /**
     * DiffPath: writes what a layer adds to its direct parent into a new folder, in transport format.
     *
     * @param id the layer
     * @return the folder, removed when the caller closes this
     * @throws LayerException if it failed; no folder is left
     */
    public DiffPath diffPath(String id) throws LayerException {
        return new DiffPath(this, handle.diffPath(named(id)));
    }

    /**
     * Writes what a layer adds to its direct parent into a folder of the caller's, in transport format.
     *
     * @param id the layer
     * @param folder where to; made if it is not there, else it must be empty
     * @throws LayerException if it failed; the folder is empty then
     */
    public void diffPathTo(String id, Path folder) throws LayerException {
        handle.diffPathTo(named(id), text(folder));
    }

    void releaseDiffPath(String path) throws LayerException {
        if (!handle.closed()) {
            handle.releaseDiffPath(path);
        }
    }

    /**
     * GetCustomImageInfos: the base images that are on this machine, each made a layer of this home.
     *
     * @return the images
     * @throws LayerException if they cannot be listed or made layers
     */
    public List<CustomImageInfo> getCustomImageInfos() throws LayerException {
        return handle.query(Query.IMAGES, null, null, Records::image);
    }

    /**
     * Registers a folder as a base image, for {@link #getCustomImageInfos} (portable backend; Windows has a central store
     * of its own).
     *
     * @param folder a base layer's folder, with {@code Files} in it
     * @throws UnsupportedLayerOperationException if the backend has no such registry
     * @throws LayerException if the folder is no base image
     */
    public void addBaseImage(Path folder) throws LayerException {
        handle.addBaseImage(text(folder));
    }

    /**
     * All layers. What was read of a layer is kept for as long as its folders hold the same names, so that a list of
     * thousands takes milliseconds the next time; damage done since inside a file shows in {@link #verify}.
     *
     * @return a summary of each, sorted by id
     * @throws LayerException if the home cannot be read
     */
    public List<LayerSummary> list() throws LayerException {
        return handle.query(Query.LIST, null, null, Records::layer);
    }

    /**
     * The entries of a layer's own, without mounting it.
     *
     * @param id the layer
     * @param path the entry to show with all below it; {@code ""} for all
     * @return the entries, in the order of the tar
     * @throws InvalidLayerArgumentException if the layer has no such entry
     * @throws LayerException if it failed otherwise
     */
    public List<EntryInfo> entries(String id, String path) throws LayerException {
        List<EntryInfo> entries = new ArrayList<>();
        entries(id, path, entries::add);
        return entries;
    }

    /**
     * The entries of a layer's own, one after the other; of use where there are very many.
     *
     * @param id the layer
     * @param path the entry to show with all below it; {@code ""} for all
     * @param sink takes each entry, in the order of the tar
     * @throws LayerException as the other form does
     */
    public void entries(String id, String path, Consumer<? super EntryInfo> sink) throws LayerException {
        handle.query(Query.ENTRIES, named(id), Objects.requireNonNull(path, "path"), Records::entry, sink);
    }

    /**
     * Everything of one entry of a layer's own.
     *
     * @param id the layer
     * @param path the entry, as in the tar, without regard to case
     * @return times, attributes, security descriptor, EAs, reparse data, streams
     * @throws InvalidLayerArgumentException if the layer has no such entry
     * @throws LayerException if it failed otherwise
     */
    public EntryDetails stat(String id, String path) throws LayerException {
        List<EntryDetails> details =
                handle.query(Query.STAT, named(id), Objects.requireNonNull(path, "path"), Records::details);
        return details.get(0);
    }

    /**
     * The content of a file of a layer's own, or of one of its alternate streams.
     *
     * @param id the layer
     * @param path the file, as in the tar, without regard to case
     * @param stream name of the alternate stream; {@code ""} for the file's main data
     * @return its bytes, holes as zeros; the caller closes it
     * @throws InvalidLayerArgumentException if there is no such entry or stream
     * @throws LayerException if it failed otherwise
     */
    public InputStream openStream(String id, String path, String stream) throws LayerException {
        SourceHandle source = handle.openFile(
                named(id), Objects.requireNonNull(path, "path"), Objects.requireNonNull(stream, "stream"));
        return new NativeStream(source, handle.buffers(), new Control("OpenFile", id, null, null, source::cancel));
    }

    /**
     * Checks layers: records, chains and every stored byte.
     *
     * @param ids the layers; none: all, and what is left over in the home
     * @return what is wrong; empty if nothing is
     * @throws LayerNotFoundException if one of the layers does not exist
     * @throws LayerException if the check itself failed
     */
    public List<LayerProblem> verify(String... ids) throws LayerException {
        return verify(VerifyDepth.FULL, ids);
    }

    /**
     * Checks layers, quickly or every stored byte. Safe while others use the store: what they make or remove meanwhile
     * is no problem.
     *
     * @param depth how closely
     * @param ids the layers; none: all, and what is left over in the home
     * @return what is wrong; empty if nothing is
     * @throws LayerNotFoundException if one of the layers does not exist
     * @throws LayerException if the check itself failed
     */
    public List<LayerProblem> verify(VerifyDepth depth, String... ids) throws LayerException {
        return handle.query(Query.VERIFY, lines("Verify", List.of(ids)), depth.text(), Records::problem);
    }

    /**
     * Mends a damaged layer from its blob, in place: as {@link #repair(String, Path, ApplyOptions)} without options.
     *
     * @param id the layer
     * @param blob the archive that it was made of
     * @return size and digests
     * @throws IOException as the other form does
     */
    public ApplyResult repair(String id, Path blob) throws IOException {
        return repair(id, blob, ApplyOptions.DEFAULT);
    }

    /**
     * Mends a layer from its blob, in place: id, chain and children stay, and a crash leaves the old content or the new.
     * The tar in the archive must have the diffID that the layer's record tells, however it is compressed.
     *
     * @param id the layer; not writable, and not made of a transport tar
     * @param blob the archive that it was made of
     * @param options progress and cancellation; the expected digest, needed only where the record is lost
     * @return size and digests
     * @throws DigestMismatchException if the archive is another one; the layer is as before
     * @throws LayerBusyException if the layer is being read, or a layer built on it is mounted
     * @throws LayerDamagedException if the record is lost and no digest is expected
     * @throws IOException if it failed otherwise; the layer is as before
     */
    public ApplyResult repair(String id, Path blob, ApplyOptions options) throws IOException {
        return repair(id, ArchiveFeeder.of(blob), options);
    }

    /**
     * Mends a layer from its blob, in place, as the form with a file does.
     *
     * @param id the layer
     * @param blob the archive that it was made of, read to its end and not closed
     * @param options progress and cancellation; the expected digest, needed only where the record is lost
     * @return size and digests
     * @throws IOException as {@link #repair(String, Path, ApplyOptions)} does
     */
    public ApplyResult repair(String id, InputStream blob, ApplyOptions options) throws IOException {
        return repair(id, ArchiveFeeder.of(blob), options);
    }

    private ApplyResult repair(String id, ArchiveFeeder archive, ApplyOptions options) throws IOException {
        return feed(
                "Repair",
                id,
                handle.openRepair(
                        named(id),
                        Objects.requireNonNullElse(options.expectedDiffId(), ""),
                        Objects.requireNonNullElse(options.expectedBlobDigest(), "")),
                archive,
                options);
    }

    /**
     * Removes what nothing uses. That is what killed processes left (as {@link #cleanup} does), and layers that were
     * created, never filled and never can be, because an ancestor is missing. With roots, every layer goes too that is
     * neither a root, nor an ancestor of one, nor mounted or an ancestor of what is mounted; without roots a layer with
     * content is never removed. What others use or begin to use meanwhile stays.
     *
     * @param dryRun only tells what would go
     * @param roots the layers that matter; none: all do
     * @return what went, or would go
     * @throws LayerNotFoundException if a root does not exist; nothing is removed then
     * @throws LayerException if it failed; what went is gone, and the next call goes on
     */
    public List<Garbage> gc(boolean dryRun, String... roots) throws LayerException {
        return handle.query(Query.GC, lines("Gc", List.of(roots)), dryRun ? "dry-run" : null, Records::garbage);
    }

    private static String lines(String operation, List<String> ids) throws LayerException {
        for (String id : ids) {
            if (id.isEmpty() || id.indexOf('\n') >= 0) {
                throw Failures.argument(operation, "not a layer id: it is empty or contains a line break");
            }
        }
        return String.join("\n", ids);
    }

    /**
     * Looks for entries that lack what Windows needs: attributes and a security descriptor.
     *
     * @param id the layer
     * @return what is missing; empty if nothing is
     * @throws LayerException if it failed
     */
    public List<LayerProblem> lint(String id) throws LayerException {
        return handle.query(Query.LINT, named(id), null, Records::problem);
    }

    /**
     * Ends the use of the driver; see the class. What this process mounted and did not put is unmounted. May be called
     * more than once.
     */
    @Override
    public void close() {
        handle.close();
    }

    private static String named(String id) {
        return Objects.requireNonNull(id, "id");
    }

    private static String text(Path path) {
        return path.toAbsolutePath().normalize().toString();
    }

    private static void checkNotCancelled(String operation, String id, @Nullable CancellationToken token)
            throws OperationCancelledException {
        if (token != null && token.isCancelled()) {
            throw Failures.cancelled(operation, id);
        }
    }

    /** Sets up a driver. Not for several threads. */
    public static final class Builder {
        private final Path home;
        private final Map<String, String> options = new LinkedHashMap<>();
        private int flavour = FLAVOUR_FILTER;

        private Builder(Path home) {
            this.home = Objects.requireNonNull(home, "home");
        }

        /**
         * Chooses windowsdiff instead of windowsfilter.
         *
         * @return this
         */
        public Builder windowsDiff() {
            flavour = FLAVOUR_DIFF;
            return this;
        }

        /**
         * Chooses the backend.
         *
         * @param backend who fills the table of vmcompute functions
         * @return this
         */
        public Builder backend(Backend backend) {
            return option(BACKEND, backend.text());
        }

        /**
         * Sets the size of writable layers that are created without one.
         *
         * @param sizeBytes bytes; default: the backend's own
         * @return this
         */
        public Builder scratchSizeBytes(long sizeBytes) {
            return option("size", Long.toString(sizeBytes));
        }

        /**
         * Sets how long to wait for a lock that another holds.
         *
         * @param milliseconds 0 to 86,400,000; 0: fail at once; default 10,000
         * @return this
         */
        public Builder lockWaitMillis(long milliseconds) {
            return option("lockWait", Long.toString(milliseconds));
        }

        /**
         * Sets an option by name, as Docker's {@code --storage-opt} does: {@code size} ({@code 20GB}), {@code lockWait}
         * (milliseconds), {@code durability} ({@code full}, {@code data} or {@code none}), {@code mount} ({@code auto},
         * {@code overlay-legacy} or {@code checkout}), {@code strict} ({@code true} refuses tars without end blocks),
         * {@code zstdWindowLog} (10 to 27, default 23: 8 MiB), {@code backend}.
         *
         * <p>For calls of vmcompute.dll, without effect on the portable store: {@code callTimeout} (milliseconds until a
         * call counts as hung, default 600,000; six times that for calls that move a layer's data), {@code callLimit}
         * (calls at once in this process, 1 to 64, default 4), {@code busyWait} (milliseconds to try again while another
         * process holds a layer, default 5,000), {@code layerNames} ({@code path}, as hcsshim, or {@code home}, as
         * Docker's first drivers), {@code api} ({@code vmcompute} or {@code computestorage}).
         *
         * @param name the option; {@link #open} refuses unknown ones
         * @param value its value
         * @return this
         */
        public Builder option(String name, String value) {
            options.put(Objects.requireNonNull(name, "name"), Objects.requireNonNull(value, "value"));
            return this;
        }

        /**
         * Opens the home, and recovers what killed processes left there.
         *
         * @return the driver, which the caller closes
         * @throws InvalidLayerArgumentException if an option is unknown or its value wrong
         * @throws BackendUnavailableException if the backend cannot run here
         * @throws LayerException if the home cannot be opened
         * @throws UnsatisfiedLinkError if the native library cannot be loaded; the message says what would help
         */
        public WindowsDriver open() throws LayerException {
            Backend backend = Backend.AUTO;
            List<String> pairs = new ArrayList<>();
            for (Map.Entry<String, String> option : options.entrySet()) {
                if (option.getKey().equals(BACKEND)) {
                    backend = Backend.of(option.getValue());
                } else {
                    pairs.add(option.getKey());
                    pairs.add(option.getValue());
                }
            }
            Path absolute = home.toAbsolutePath().normalize();
            return new WindowsDriver(
                    absolute,
                    DriverHandle.open(absolute.toString(), flavour, backend.number, pairs.toArray(new String[0])));
        }
    }
}
