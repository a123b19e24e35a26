package dev.wclayer.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.wclayer.CustomImageInfo;
import dev.wclayer.EntryDetails;
import dev.wclayer.EntryInfo;
import dev.wclayer.LayerProblem;
import dev.wclayer.LayerSummary;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** The values of the API as JSON (store §9). By hand, not by reflection: the names are a promise, and this starts faster. */
final class Json {
    private Json() {}

    static JsonObject object(String key, String value) {
        JsonObject object = new JsonObject();
        object.addProperty(key, value);
        return object;
    }

    static <T> JsonArray array(List<T> items, Function<T, JsonElement> element) {
        JsonArray array = new JsonArray(items.size());
        items.forEach(item -> array.add(element.apply(item)));
        return array;
    }

    static JsonArray texts(List<String> texts) {
        JsonArray array = new JsonArray(texts.size());
        texts.forEach(array::add);
        return array;
    }

    static JsonElement layer(LayerSummary layer) {
        JsonObject object = object("id", layer.id());
        object.addProperty("parent", layer.parent());
        object.addProperty("kind", layer.kind().text());
        object.addProperty("sizeBytes", layer.sizeBytes());
        object.addProperty("state", layer.state().text());
        return object;
    }

    static JsonObject problems(List<LayerProblem> problems) {
        JsonObject object = new JsonObject();
        object.addProperty("ok", problems.isEmpty());
        object.add("problems", array(problems, problem -> {
            JsonObject one = object("id", problem.id());
            one.addProperty("path", problem.path());
            one.addProperty("problem", problem.problem());
            return one;
        }));
        return object;
    }

    static JsonElement image(CustomImageInfo image) {
        JsonObject object = object("id", image.id());
        object.addProperty("name", image.name());
        object.addProperty("version", image.version());
        object.addProperty("path", image.path().toString());
        object.addProperty("sizeBytes", image.sizeBytes());
        object.addProperty("createdTime", image.createdTime().toString());
        object.addProperty("osVersion", image.osVersion());
        object.add("osFeatures", texts(image.osFeatures()));
        return object;
    }

    static JsonObject entry(EntryInfo entry) {
        JsonObject object = object("path", entry.path());
        object.addProperty("kind", String.valueOf(entry.kind().letter()));
        object.addProperty("sizeBytes", entry.sizeBytes());
        object.addProperty("attributes", Integer.toUnsignedLong(entry.attributes()));
        object.addProperty("writeTime", entry.writeTime().toString());
        object.addProperty("target", entry.target());
        return object;
    }

    static JsonObject details(EntryDetails details) {
        JsonObject object = entry(details.info());
        object.addProperty("creationTime", details.creation().instant().toString());
        object.addProperty("accessTime", details.access().instant().toString());
        object.addProperty("changeTime", details.change().instant().toString());
        object.add("timesNotRecorded", texts(timesNotRecorded(details)));
        object.addProperty("sddl", details.sddl());
        object.addProperty("securityDescriptor", base64(details.securityDescriptor()));
        object.addProperty("reparseTag", Integer.toUnsignedLong(details.reparseTag()));
        object.addProperty("reparseData", base64(details.reparseData()));
        JsonObject attributes = new JsonObject();
        details.extendedAttributes().forEach((name, value) -> attributes.addProperty(name, base64(value)));
        object.add("eas", attributes);
        JsonObject streams = new JsonObject();
        details.streams().forEach(streams::addProperty);
        object.add("streams", streams);
        object.addProperty("objectId", base64(details.objectId()));
        object.addProperty("sparse", details.sparse());
        object.addProperty("shortName", details.shortName());
        return object;
    }

    /** The keys of the times that the archive lacked; they show the write time. */
    private static List<String> timesNotRecorded(EntryDetails details) {
        List<String> keys = new ArrayList<>();
        Map.of(
                        "creationTime", details.creation(),
                        "accessTime", details.access(),
                        "changeTime", details.change())
                .forEach((key, time) -> {
                    if (!time.recorded()) {
                        keys.add(key);
                    }
                });
        Collections.sort(keys);
        return keys;
    }

    private static String base64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }
}
