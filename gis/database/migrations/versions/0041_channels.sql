-- gis/notify/channels knows the channels; a second list here would have to follow it.
ALTER TABLE gis.subscription DROP CONSTRAINT subscription_channel_check;
COMMENT ON COLUMN gis.subscription.channel IS 'a name in gis/notify/channels';
