package dev.wclayer;

import dev.wclayer.internal.RecordReader;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Native records as the values of the API. */
final class Records {
    /** 1601-01-01 as seconds of the Unix epoch. */
    private static final long FILETIME_EPOCH_SECONDS = -11_644_473_600L;

    private static final long TICKS_PER_SECOND = 10_000_000L;
    private static final int TIMES = 4;

    private Records() {}

    static StatusItem pair(RecordReader record) {
        return new StatusItem(record.text(), record.text());
    }

    static LayerSummary layer(RecordReader record) {
        String id = record.text();
        String parent = record.text();
        LayerSummary.Kind kind = LayerSummary.Kind.valueOf(record.text().toUpperCase(Locale.ROOT));
        LayerSummary.State state = LayerSummary.State.valueOf(record.text().toUpperCase(Locale.ROOT));
        String diffId = record.text();
        return new LayerSummary(id, parent, kind, state, diffId, record.number());
    }

    static Change change(RecordReader record) {
        return new Change(Change.Kind.of(record.number()), record.text());
    }

    static EntryInfo entry(RecordReader record) {
        EntryInfo.Kind kind = EntryInfo.Kind.of(record.number());
        String path = record.text();
        long sizeBytes = record.number();
        int attributes = (int) record.number();
        Instant writeTime = fileTime(record.number(), 0);
        return new EntryInfo(kind, path, sizeBytes, attributes, writeTime, record.text());
    }

    static EntryDetails details(RecordReader record) {
        EntryInfo info = entry(record);
        long[] fileTimes = new long[TIMES];
        for (int i = 0; i < TIMES; i++) {
            fileTimes[i] = record.number();
        }
        long absent = record.number();
        EntryDetails.Time[] times = new EntryDetails.Time[TIMES];
        for (int i = 0; i < TIMES; i++) {
            times[i] = new EntryDetails.Time(fileTime(fileTimes[i], record.number()), (absent & (1L << i)) == 0);
        }
        String sddl = record.text();
        byte[] security = record.bytes();
        int reparseTag = (int) record.number();
        byte[] reparse = record.bytes();
        Map<String, byte[]> eas = new LinkedHashMap<>();
        record.list(item -> Map.entry(item.text(), item.bytes())).forEach(ea -> eas.put(ea.getKey(), ea.getValue()));
        Map<String, Long> streams = new LinkedHashMap<>();
        record.list(item -> Map.entry(item.text(), item.number()))
                .forEach(stream -> streams.put(stream.getKey(), stream.getValue()));
        byte[] objectId = record.bytes();
        boolean sparse = record.number() != 0;
        String shortName = record.text();
        return new EntryDetails(
                info,
                times[0],
                times[1],
                times[2],
                times[3],
                sddl,
                security,
                reparseTag,
                reparse,
                eas,
                streams,
                objectId,
                sparse,
                shortName);
    }

    static LayerProblem problem(RecordReader record) {
        return new LayerProblem(record.text(), record.text(), record.text());
    }

    static Garbage garbage(RecordReader record) {
        return new Garbage(record.text(), record.text());
    }

    static CustomImageInfo image(RecordReader record) {
        String id = record.text();
        String name = record.text();
        String version = record.text();
        Path path = Path.of(record.text());
        long sizeBytes = record.number();
        Instant created = rfc3339(record.text());
        String osVersion = record.text();
        List<String> features = record.list(RecordReader::text);
        return new CustomImageInfo(id, name, version, path, sizeBytes, created, osVersion, features);
    }

    private static Instant rfc3339(String text) {
        try {
            return OffsetDateTime.parse(text).toInstant();
        } catch (DateTimeException notATime) {
            return Instant.EPOCH; // an image registered by hand need not tell
        }
    }

    /** A FILETIME (100 ns since 1601) and the nanoseconds beyond it. */
    static Instant fileTime(long ticks, long nanoseconds) {
        return Instant.ofEpochSecond(
                FILETIME_EPOCH_SECONDS + Math.floorDiv(ticks, TICKS_PER_SECOND),
                Math.floorMod(ticks, TICKS_PER_SECOND) * 100 + nanoseconds);
    }
}
